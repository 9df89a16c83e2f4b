"""`python -m ampwright` is the same as the command `ampwright`."""

from ampwright.commands.main import main

if __name__ == "__main__":
    main()

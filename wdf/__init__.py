"""The same circuit in waves: ports, adaptors, trees and roots derived from the schematic."""

"""Neural captures: file formats, inference and training."""

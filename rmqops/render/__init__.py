"""PURE. From a topology to the files of every instance."""

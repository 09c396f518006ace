"""Who sends and who receives while a drill runs, and on which hosts."""

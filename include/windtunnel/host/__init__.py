"""This host: its clock, name and cores, and the files on its disk that others may have touched."""

"""The recipe that trains SpineRT's networks: `python3 -m training --help`, and training/README.md."""

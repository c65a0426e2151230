"""The command line, also where no `tintflow` is on the path: `python -m tintflow`."""

from service.cli import main

if __name__ == "__main__":
    main()

"""`python -m cli` is the `findme` command."""

from cli.app import main

if __name__ == "__main__":
    main()

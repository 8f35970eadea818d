"""``python -m service`` is the command ``moderation``."""

from service.cli import main

if __name__ == "__main__":
    main()

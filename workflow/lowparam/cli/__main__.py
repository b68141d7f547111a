"""Run ``python -m lowparam.cli`` where the script ``lowparam`` is not installed."""

from lowparam.cli import app

if __name__ == "__main__":
    app()

"""Start the page: ``python app.py``. Host and port come from GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""

from spinehub.demo import launch

if __name__ == "__main__":
    launch()

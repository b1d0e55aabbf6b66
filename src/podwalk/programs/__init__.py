"""What runs inside containers where no image is pulled: stand-ins for the images the labs use.

Each program (``agnhost.py``, ``nginx.py``, ``http_echo.py``) is started as ``python -I -S FILE args…`` and needs the
standard library alone. The other modules of this folder are their shared parts; nothing else of podwalk is imported.
A program is a thin file, because Python compiles the file it is started with anew each time, and caches the rest.
"""

"""What notebooks show: the course on a live cluster. See docs/architecture.md."""

from podwalk.views.lab_panel import LabPanel
from podwalk.views.predict import predict
from podwalk.views.session import OpenCourse, open_course

__all__ = ["LabPanel", "OpenCourse", "open_course", "predict"]

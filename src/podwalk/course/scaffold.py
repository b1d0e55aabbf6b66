"""`podwalk lab new`: the files of a new lab, to be filled in; until then its tests fail, as they should."""

from __future__ import annotations

import re
from pathlib import Path

from podwalk.course.catalogue import INSTALLED
from podwalk.course.schema import ID_PATTERN, MAX_LABEL, LabError

_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"

_LAB_YAML = """\
title: {title}
order: 100
minutes: [5, 10]
difficulty: easy
backends: [embedded, kind]
objectives:
  - TODO what a learner can do afterwards
namespaces: [{namespace}]
points:
  the client gets an answer: 5
hints:
  - TODO a gentle question
  - TODO the next question
  - text: TODO what to do
    cost: 1
references:
  - https://kubernetes.io/docs/concepts/services-networking/service/
"""

_TICKET = """\
# {title}

TODO Symptoms only, as a colleague tells them. No cause, no layer.

**Done when** TODO something that a machine can probe.

**Leave alone** TODO what is not to be changed.

**Time** 5 to 10 minutes. **You may want** `kubectl get endpointslice`.
"""

_SETUP = """\
apiVersion: v1
kind: Namespace
metadata:
  name: {namespace}
---
apiVersion: v1
kind: Pod
metadata:
  name: client
  namespace: {namespace}
spec:
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false
  containers:
    - name: client
      image: {image}
      args: [pause]
"""

_CHECKER = '''\
"""{id}: TODO one line that names the cause and the end."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """Behaviour first, then state, then guards."""
    with lab.step("the client gets an answer", nudge="TODO a question, not an instruction?"):
        lab.http("{namespace}/client", "http://web/").expect(status=200)
'''

_SOLUTION = """\
# {title}: the solution

TODO Why, told on the wire.

**Evidence.** TODO commands that show it.

**Also right.** TODO other good answers; each may be a file in `also/`.

**Not right, though the symptom goes.** TODO; each is a file in `wrong/`.

**In production.** TODO what would have caught it.
"""

_FIX = "# TODO the repair, as YAML to apply; or a fix.sh instead.\n"
_WRONG = "# fails: the client gets an answer\n# TODO why somebody would try this. Write at least three such files.\n"


def new_lab(root: Path, name: str) -> list[Path]:
    """Write the files of the lab ``layer/id``; the paths written. Raises LabError where a part of it exists."""
    if root == INSTALLED:
        raise LabError("labs are written in a clone of podwalk's repository; set PODWALK_COURSE to it, or work in it")
    layer, _, lab_id = name.partition("/")
    if not all(re.match(ID_PATTERN, part) for part in (layer, lab_id)):
        raise LabError(f"{name}: is no layer/id; write for example services/web-times-out (lower case, hyphens)")
    if len(name) > MAX_LABEL:
        raise LabError(f"{name}: has {len(name)} characters; a label holds {MAX_LABEL}")
    values = {"id": lab_id, "title": lab_id.replace("-", " ").capitalize(), "namespace": lab_id, "image": _IMAGE}
    lab, solution = root / "labs" / layer / lab_id, root / "solutions" / layer / lab_id
    checker = root / "checkers" / layer / f"{lab_id.replace('-', '_')}.py"
    files = {
        lab / "lab.yaml": _LAB_YAML,
        lab / "README.md": _TICKET,
        lab / "setup" / "10-namespace.yaml": _SETUP,
        checker: _CHECKER,
        solution / "README.md": _SOLUTION,
        solution / "fix" / "10-fix.yaml": _FIX,
        solution / "wrong" / "rename-me.yaml": _WRONG,
    }
    for path in files:
        if path.exists():
            raise LabError(f"{path}: exists already; choose another id, or remove it")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**values), encoding="utf-8")
    return list(files)

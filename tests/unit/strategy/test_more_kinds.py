"""Defaults and refusals of the batch, policy, quota, RBAC and address kinds."""

import copy

import pytest

from podwalk.apiserver.strategy import default, prepare_create, validate, warnings
from podwalk.apiserver.strategy.validation.cron import parse_schedule
from podwalk.apiserver.strategy.validation.indexes import count_indexes

V1 = {
    "Job": "batch/v1", "CronJob": "batch/v1", "StatefulSet": "apps/v1", "ControllerRevision": "apps/v1",
    "ReplicationController": "v1", "PodDisruptionBudget": "policy/v1", "PriorityClass": "scheduling.k8s.io/v1",
    "ResourceQuota": "v1", "LimitRange": "v1", "IPAddress": "networking.k8s.io/v1",
    "ServiceCIDR": "networking.k8s.io/v1", "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1", "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "Service": "v1", "Pod": "v1", "Ingress": "networking.k8s.io/v1", "Deployment": "apps/v1",
    "EndpointSlice": "discovery.k8s.io/v1", "Node": "v1",
}  # fmt: skip


def make(kind, name="x", **rest):
    obj = {"apiVersion": V1[kind], "kind": kind, "metadata": {"name": name, "uid": "u-1"}, **copy.deepcopy(rest)}
    default(obj)
    prepare_create(obj)
    return obj


def complaints(obj, old=None, subresource=""):
    return [(c["field"], c["message"]) for c in validate(obj, old, subresource=subresource)]


def changed(obj, **spec):
    new = copy.deepcopy(obj)
    new["metadata"]["resourceVersion"] = "1"
    new["spec"].update(spec)
    return new


POD = {"containers": [{"name": "c", "image": "app:1"}]}
ONCE = {**POD, "restartPolicy": "Never"}


def job(**spec):
    return make("Job", spec={"template": {"spec": copy.deepcopy(ONCE)}, **spec})


def statefulset(**spec):
    template = {"metadata": {"labels": {"app": "s"}}, "spec": copy.deepcopy(POD)}
    return make("StatefulSet", spec={"selector": {"matchLabels": {"app": "s"}}, "template": template, **spec})


def cronjob(schedule="*/5 * * * *", name="x", **spec):
    template = {"spec": {"template": {"spec": copy.deepcopy(ONCE)}}}
    return make("CronJob", name, spec={"schedule": schedule, "jobTemplate": template, **spec})


def test_a_job_selects_its_pods_by_its_own_uid():
    made = job()
    labels = {
        "batch.kubernetes.io/controller-uid": "u-1", "controller-uid": "u-1",
        "batch.kubernetes.io/job-name": "x", "job-name": "x",
    }  # fmt: skip
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert made["spec"]["template"]["metadata"]["labels"] == labels == made["metadata"]["labels"]
    assert [made["spec"][f] for f in ("parallelism", "completions", "backoffLimit", "completionMode")] == [
        1, 1, 6, "NonIndexed",
    ]  # fmt: skip
    assert complaints(made) == []


def test_a_job_whose_selector_is_written_by_hand_keeps_it():
    template = {"metadata": {"labels": {"app": "j"}}, "spec": ONCE}
    made = job(manualSelector=True, selector={"matchLabels": {"app": "j"}}, template=template)
    assert made["spec"]["selector"] == {"matchLabels": {"app": "j"}}
    assert made["metadata"]["labels"] == {"app": "j"}
    assert complaints(made) == []


def test_a_job_with_a_parallelism_of_its_own_has_no_number_of_completions():
    assert "completions" not in job(parallelism=3)["spec"]


@pytest.mark.parametrize(
    ("spec", "field", "told"),
    [
        ({"template": {"spec": POD}}, "spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'),
        ({"completionMode": "Indexed", "completions": None, "parallelism": 2}, "spec.completions",
         "when completion mode is Indexed"),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex", "requires indexed completion mode"),
        ({"backoffLimit": -1}, "spec.backoffLimit", "must be greater than or equal to 0"),
        ({"managedBy": "me"}, "spec.managedBy", "must be a domain-prefixed path"),
        ({"podReplacementPolicy": "Later"}, "spec.podReplacementPolicy", '"Failed", "TerminatingOrFailed"'),
        ({"podFailurePolicy": {"rules": [{"action": "FailJob"}]}}, "spec.podFailurePolicy.rules[0]",
         "Invalid value: specifying one of OnExitCodes and OnPodConditions is required"),
    ],
)  # fmt: skip
def test_a_job_that_is_refused(spec, field, told):
    ((where, message),) = complaints(job(**spec))
    assert where == field
    assert told in message


def test_what_a_job_is_made_of_does_not_change():
    old = job()
    assert complaints(changed(old, parallelism=4, suspend=True), old) == []
    assert complaints(changed(old, completions=2), old) == [
        ("spec.completions", "Invalid value: 2: field is immutable")
    ]
    template = copy.deepcopy(old["spec"]["template"])
    template["spec"]["containers"][0]["image"] = "app:2"
    ((field, message),) = complaints(changed(old, template=template), old)
    assert field == "spec.template"
    assert '"Spec":{"Volumes":null' in message
    assert message.endswith("field is immutable")


def test_a_suspended_job_may_still_be_told_where_to_run():
    old = job(suspend=True)
    template = copy.deepcopy(old["spec"]["template"])
    template["spec"]["nodeSelector"] = {"disk": "ssd"}
    assert complaints(changed(old, template=template), old) == []


def test_a_finished_job_must_say_when_and_why():
    old = job()
    done = copy.deepcopy(old)
    done["status"] = {"conditions": [{"type": "Complete", "status": "True"}], "startTime": "2026-01-01T00:00:00Z"}
    told = dict(complaints(done, old, "status"))
    assert told["status.completionTime"] == "Required value: completionTime is required for Complete jobs"
    assert "without the SuccessCriteriaMet=true condition" in told["status.conditions"]
    done["status"]["completionTime"] = "2026-01-01T00:01:00Z"
    done["status"]["conditions"].append({"type": "SuccessCriteriaMet", "status": "True"})
    assert complaints(done, old, "status") == []


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("61 * * * *", "end of range (61) above maximum (59): 61"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@often", "unrecognized descriptor: @often"),
        ("@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'),
    ],
)
def test_a_schedule_that_no_cron_understands(schedule, told):
    with pytest.raises(ValueError) as caught:
        parse_schedule(schedule)
    assert str(caught.value) == told
    assert complaints(cronjob(schedule))[0][0] == "spec.schedule"


@pytest.mark.parametrize("schedule", ["@hourly", "@every 1h30m", "0 0 1,15 JAN-mar sun", "*/15 0-6/2 ? * 1-5"])
def test_a_schedule_that_every_cron_understands(schedule):
    assert complaints(cronjob(schedule)) == []


def test_cronjobs_have_defaults_zones_and_a_limit_to_their_name():
    made = cronjob()
    assert [made["spec"][f] for f in ("concurrencyPolicy", "suspend", "successfulJobsHistoryLimit")] == [
        "Allow",
        False,
        3,
    ]
    assert complaints(cronjob(timeZone="Mars/Base")) == [
        ("spec.timeZone", 'Invalid value: "Mars/Base": unknown time zone Mars/Base'),
    ]
    assert complaints(cronjob("TZ=UTC 0 0 * * *"))[0][1].endswith("use timeZone field instead")
    assert complaints(cronjob(name="n" * 53))[0][1].endswith("must be no more than 52 characters")


def test_lists_of_indexes_are_counted():
    assert count_indexes("0-3,5", 6) == 5
    with pytest.raises(ValueError, match="non-increasing order, previous: 3, current: 2"):
        count_indexes("0-3,2", 6)


def test_a_statefulset_has_its_defaults_and_keeps_its_identity():
    old = statefulset(serviceName="web")
    spec = old["spec"]
    assert spec["podManagementPolicy"] == "OrderedReady"
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert (spec["replicas"], old["status"]) == (1, {"replicas": 0, "availableReplicas": 0})
    assert complaints(changed(old, replicas=3, minReadySeconds=5), old) == []
    ((field, message),) = complaints(changed(old, serviceName="other"), old)
    assert (field, message.partition(" for ")[0]) == ("spec", "Forbidden: updates to statefulset spec")


def test_a_statefulsets_name_must_fit_its_pods():
    made = statefulset()
    made["metadata"]["name"] = "a.b"
    assert complaints(made) == [("metadata.name", 'Invalid value: "a.b": must not contain dots')]


def test_a_replicationcontroller_takes_its_selector_from_its_template():
    made = make("ReplicationController", spec={"template": {"metadata": {"labels": {"app": "r"}}, "spec": POD}})
    assert made["spec"]["selector"] == {"app": "r"} == made["metadata"]["labels"]
    assert complaints(made) == []
    assert complaints(make("ReplicationController", spec={"selector": {"a": "b"}})) == [
        ("spec.template", "Required value"),
    ]


def test_the_data_of_a_revision_is_fixed():
    old = make("ControllerRevision", data={"a": 1}, revision=1)
    assert complaints(make("ControllerRevision", data={"a": 1}, revision=2), old) == []
    assert complaints(make("ControllerRevision", data={"a": 2}), old)[0][0] == "data"


def test_a_budget_sets_one_of_two_limits():
    both = make("PodDisruptionBudget", spec={"minAvailable": 1, "maxUnavailable": "50%"})
    ((field, message),) = complaints(both)
    assert field == "spec"
    assert message == (
        'Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":"50%","UnhealthyPodEvictionPolicy":null}: '
        "minAvailable and maxUnavailable cannot be both set"
    )
    assert complaints(make("PodDisruptionBudget", spec={"minAvailable": "120%"})) == [
        ("spec.minAvailable", 'Invalid value: "120%": must not be greater than 100%'),
    ]


def test_priorities_above_a_billion_are_the_systems():
    assert make("PriorityClass", value=5)["preemptionPolicy"] == "PreemptLowerPriority"
    assert complaints(make("PriorityClass", value=2_000_000_000)) == [
        ("value", "Forbidden: maximum allowed value of a user defined priority is 1000000000"),
    ]
    ((field, message),) = complaints(make("PriorityClass", "system-mine", value=1))
    assert field == "metadata.name"
    assert message.endswith("error: system-mine is not a known system priority class")
    assert complaints(make("PriorityClass", value=6), make("PriorityClass", value=5)) == [
        ("value", "Forbidden: may not be changed in an update."),
    ]


def test_an_ipaddress_is_named_by_its_address_and_has_one_parent():
    parent = {"resource": "services", "namespace": "default", "name": "web"}
    old = make("IPAddress", "10.96.0.9", spec={"parentRef": parent})
    assert complaints(old) == []
    assert complaints(make("IPAddress", "010.96.0.9", spec={"parentRef": parent}))[0][0] == "metadata.name"
    assert complaints(make("IPAddress", "2001:DB8::1", spec={"parentRef": parent})) == [
        ("metadata.name", 'Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")'),
    ]
    assert complaints(changed(old, parentRef={**parent, "name": "b"}), old)[0][0] == "spec.parentRef"


def test_a_range_stays_and_may_get_a_second_family():
    old = make("ServiceCIDR", spec={"cidrs": ["10.96.0.0/16"]})
    assert complaints(changed(old, cidrs=["10.97.0.0/16"]), old) == [
        ("spec.cidrs[0]", 'Invalid value: "10.97.0.0/16": field is immutable'),
    ]
    assert complaints(changed(old, cidrs=["10.96.0.0/16", "fd00::/108"]), old) == []
    assert complaints(make("ServiceCIDR", spec={"cidrs": []})) == [
        ("spec.cidrs", "Required value: at least one CIDR required"),
    ]


def test_quotas_and_limits_name_resources_that_exist():
    assert complaints(make("ResourceQuota", spec={"hard": {"pods": "2", "count/jobs.batch": "1"}})) == []
    assert complaints(make("ResourceQuota", spec={"hard": {"apples": "2"}})) == [
        ("spec.hard[apples]", 'Invalid value: "apples": must be a standard resource for quota'),
    ]
    item = {"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}}
    told = complaints(make("LimitRange", spec={"limits": [item]}))
    assert ("spec.limits[0].min[cpu]", 'Invalid value: "2": min value 2 is greater than max value 1') in told


def test_a_container_limit_is_its_maximum_where_nothing_else_is_said():
    made = make("LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Mi"}}]})
    (item,) = made["spec"]["limits"]
    assert item["default"] == {"cpu": "1"}
    assert item["defaultRequest"] == {"cpu": "1", "memory": "1Mi"}


def test_a_binding_names_its_role_for_good():
    old = make("RoleBinding", roleRef={"kind": "Role", "name": "r"}, subjects=[{"kind": "User", "name": "jane"}])
    assert old["roleRef"]["apiGroup"] == old["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"
    new = make("RoleBinding", roleRef={"kind": "Role", "name": "q"}, subjects=old["subjects"])
    assert complaints(new, old)[0][1].endswith("cannot change roleRef")
    assert complaints(make("ClusterRoleBinding", roleRef={"kind": "Role", "name": "r"})) == [
        ("roleRef.kind", 'Unsupported value: "Role": supported values: "ClusterRole"'),
    ]
    assert complaints(make("Role", rules=[{"verbs": []}]))[0] == (
        "rules[0].verbs", "Required value: verbs must contain at least one value",
    )  # fmt: skip
    assert make("Role")["rules"] is None


def balanced(**spec):
    return make("Service", spec={"type": "LoadBalancer", "ports": [{"port": 80}], **spec})


def test_the_class_of_a_load_balancer_may_not_change():
    old = balanced(loadBalancerClass="a.example/b")
    assert complaints(changed(old, loadBalancerClass="a.example/c"), old) == [
        ("spec.loadBalancerClass", 'Invalid value: "a.example/c": may not change once set'),
    ]
    assert complaints(changed(old, type="Sideways"), old)[-1][0] == "spec.type"


def test_services_warn_of_what_is_ignored_or_on_its_way_out():
    assert warnings(make("Service", spec={"externalIPs": ["192.0.2.1"], "ports": [{"port": 80}]})) == [
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    ]
    headless = make("Service", spec={"clusterIP": "None", "sessionAffinity": "ClientIP"})
    assert warnings(headless) == ["spec.SessionAffinity is ignored for headless services"]


def test_pods_warn_of_a_port_that_is_written_twice():
    ports = [{"containerPort": 80}, {"containerPort": 80}]
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    made = make("Pod", spec={"containers": [{"name": "c", "image": "i", "ports": ports, "env": env}]})
    assert warnings(made) == [
        "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
    ]


def container(**more):
    return {"containers": [{"name": "c", "image": "i", **more}]}


PROBE = {"exec": {"command": ["x"]}}
TERM = {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {}}]}


@pytest.mark.parametrize(
    ("spec", "field", "told"),
    [
        (container(env=[{"name": "A", "valueFrom": {}}]), "containers[0].env[0].valueFrom", "must specify one of"),
        (container(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nope"}}}]),
         "containers[0].env[0].valueFrom.fieldRef.fieldPath", "field label not supported: spec.nope"),
        (container(envFrom=[{"configMapRef": {}}]), "containers[0].envFrom[0].configMapRef.name", "Required value"),
        (container(terminationMessagePolicy="Log"), "containers[0].terminationMessagePolicy", '"File"'),
        (container(lifecycle={"preStop": {"sleep": {"seconds": 60}}}), "containers[0].lifecycle.preStop.sleep",
         "less than terminationGracePeriodSeconds (30)"),
        (container(livenessProbe={"exec": {"command": ["x"]}, "successThreshold": 2}),
         "containers[0].livenessProbe.successThreshold", "must be 1"),
        (container(resources={"limits": {"cpu": "-1"}}), "containers[0].resources.limits[cpu]",
         "greater than or equal to 0"),
        (container(securityContext={"procMount": "Unmasked"}), "containers[0].securityContext.procMount",
         "`hostUsers` must be false to use `Unmasked`"),
        (container(securityContext={"runAsUser": -1}), "containers[0].securityContext.runAsUser", "between 0 and"),
        ({**container(), "volumes": [{"name": "v", "hostPath": {"path": "/a/../b"}}]}, "volumes[0].hostPath.path",
         "must not contain '..'"),
        ({**container(), "initContainers": [{"name": "i", "image": "i", "livenessProbe": PROBE}]},
         "initContainers[0].livenessProbe", "may not be set for init containers without restartPolicy=Always"),
        ({**container(), "affinity": {"podAntiAffinity": TERM}},
         "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey", "can not be empty"),
        ({**container(), "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 5}]},
         "tolerations[0].effect", "effect must be 'NoExecute'"),
        ({**container(), "topologySpreadConstraints": [
            {"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]},
         "topologySpreadConstraints[0].maxSkew", "must be greater than zero"),
        ({**container(), "dnsConfig": {"nameservers": ["1", "2", "3", "4"]}}, "dnsConfig.nameservers",
         "must not have more than 3 nameservers"),
        ({**container(), "hostPID": True, "shareProcessNamespace": True}, "shareProcessNamespace", "cannot both"),
    ],
)  # fmt: skip
def test_a_pod_that_is_refused(spec, field, told):
    found = complaints(make("Pod", spec=spec))
    assert found[0][0] == f"spec.{field}"
    assert told in found[0][1]


def test_an_ephemeral_container_is_for_looking_not_for_serving():
    extra = {"name": "debug", "image": "i", "ports": [{"containerPort": 80}], "targetContainerName": "nobody"}
    found = complaints(make("Pod", spec={**container(), "ephemeralContainers": [extra]}))
    assert ("spec.ephemeralContainers[0].targetContainerName", 'Not found: "nobody"') in found
    assert ("spec.ephemeralContainers[0].ports", "Forbidden: cannot be set for an Ephemeral Container") in found

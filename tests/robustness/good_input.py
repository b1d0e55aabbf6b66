"""Objects that are right, to be spoiled: they get deeper into the server than what is random from the start."""

from __future__ import annotations

from typing import Any

import yaml

_TEXT = """
- kind: Pod
  metadata: {labels: {app: a}}
  spec:
    initContainers: [{name: i, image: x, restartPolicy: Always}]
    containers:
    - name: c
      image: x
      ports: [{name: http, containerPort: 80, protocol: TCP, hostPort: 8080}]
      env: [{name: A, value: b}, {name: B, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
      envFrom: [{configMapRef: {name: a}, prefix: P_}]
      resources: {requests: {cpu: 100m, memory: 1Gi}, limits: {cpu: 1, memory: 2Gi}}
      readinessProbe: {httpGet: {path: /, port: http, httpHeaders: [{name: A, value: b}]}, periodSeconds: 5}
      livenessProbe: {exec: {command: ["true"]}}
      startupProbe: {tcpSocket: {port: 80}}
      lifecycle: {preStop: {sleep: {seconds: 1}}}
      volumeMounts: [{name: v, mountPath: /v, subPath: s}]
      securityContext: {runAsUser: 1, capabilities: {add: [NET_ADMIN]}}
    volumes:
    - name: v
      projected: {sources: [{configMap: {name: a, items: [{key: k, path: p}]}}, {serviceAccountToken: {path: t}}]}
    - {name: w, emptyDir: {sizeLimit: 1Mi}}
    affinity:
      podAntiAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
        - {labelSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}, topologyKey: zone}
      nodeAffinity:
        preferredDuringSchedulingIgnoredDuringExecution:
        - {weight: 1, preference: {matchExpressions: [{key: a, operator: Gt, values: ["1"]}]}}
    tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 5}]
    topologySpreadConstraints:
    - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: a}}}
    hostAliases: [{ip: 1.2.3.4, hostnames: [a.b]}]
    dnsPolicy: None
    dnsConfig: {nameservers: [1.1.1.1], searches: [a.b], options: [{name: ndots, value: "2"}]}
    securityContext: {sysctls: [{name: net.ipv4.ip_local_port_range, value: 1 2}], fsGroup: 5}
- kind: Service
  spec:
    type: LoadBalancer
    selector: {app: a}
    ports: [{name: a, port: 80, targetPort: http}, {name: b, port: 53, protocol: UDP, appProtocol: x/y}]
    sessionAffinity: ClientIP
    sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}
    externalTrafficPolicy: Local
    loadBalancerSourceRanges: [10.0.0.0/8]
    externalIPs: [192.0.2.1]
- kind: ConfigMap
  data: {a: b}
  binaryData: {c: YQ==}
- kind: Secret
  stringData: {a: b}
- kind: Endpoints
  subsets: [{addresses: [{ip: 10.0.0.1, targetRef: {kind: Pod, name: a}}], ports: [{port: 80}]}]
- kind: ResourceQuota
  spec: {hard: {pods: 5, requests.cpu: 10}, scopes: [NotTerminating]}
- kind: LimitRange
  spec: {limits: [{type: Container, default: {cpu: 1}, max: {cpu: 2}, defaultRequest: {cpu: 500m}}]}
- kind: Event
  involvedObject: {kind: Pod, name: a, namespace: fuzz}
  reason: R
  message: m
  type: Normal
  firstTimestamp: 2026-01-01T00:00:00Z
  count: 1
- kind: ReplicationController
  spec:
    replicas: 1
    selector: {app: a}
    template: &template {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: x}]}}
- apiVersion: apps/v1
  kind: Deployment
  spec:
    replicas: 2
    selector: &selector {matchLabels: {app: a}, matchExpressions: [{key: app, operator: NotIn, values: [b]}]}
    strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 1}}
    template: *template
- {apiVersion: apps/v1, kind: ReplicaSet, spec: {selector: *selector, template: *template}}
- apiVersion: apps/v1
  kind: StatefulSet
  spec:
    serviceName: a
    selector: *selector
    template: *template
    updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}
    volumeClaimTemplates:
    - {metadata: {name: d}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
- apiVersion: apps/v1
  kind: DaemonSet
  spec: {selector: *selector, template: *template, updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}}
- apiVersion: apps/v1
  kind: ControllerRevision
  revision: 1
  data: {a: b}
- apiVersion: batch/v1
  kind: Job
  spec: &job
    completions: 3
    parallelism: 2
    completionMode: Indexed
    podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [1]}}]}
    template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}
- apiVersion: batch/v1
  kind: CronJob
  spec: {schedule: "*/5 * * * *", timeZone: Etc/UTC, jobTemplate: {spec: *job}}
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  spec:
    ingressClassName: a
    tls: [{hosts: [a.b], secretName: s}]
    rules:
    - {host: "*.a.b", http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  spec:
    podSelector: *selector
    policyTypes: [Ingress, Egress]
    ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {namespaceSelector: {}}]}]
    egress: [{to: [{podSelector: {}}], ports: [{port: 80, endPort: 90}, {port: http}]}]
- {apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {minAvailable: 50%, selector: *selector}}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  addressType: IPv4
  endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}, nodeName: a, hints: {forZones: [{name: z}]}}]
  ports: [{name: a, port: 80, protocol: TCP}]
- apiVersion: coordination.k8s.io/v1
  kind: Lease
  spec: {holderIdentity: a, leaseDurationSeconds: 5, leaseTransitions: 1}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: Role
  rules: [{apiGroups: [""], resources: [pods], verbs: [get], resourceNames: [a]}]
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}
  subjects: [{kind: ServiceAccount, name: a, namespace: fuzz}]
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRole
  aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
- apiVersion: apiextensions.k8s.io/v1
  kind: CustomResourceDefinition
  metadata: {name: things.fuzz.test}
  spec:
    group: fuzz.test
    scope: Namespaced
    names: {plural: things, singular: thing, kind: Thing, shortNames: [th], categories: [all]}
    versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
      additionalPrinterColumns: [{name: R, type: integer, jsonPath: .spec.replicas}]
      selectableFields: [{jsonPath: .spec.host}]
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [host]
              properties:
                host: {type: string, pattern: "^[a-z.]+$", maxLength: 20}
                replicas: {type: integer, default: 1, minimum: 0}
                ports:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [port]
                  items: {type: object, required: [port], properties: {port: {type: integer}}}
                any: {x-kubernetes-preserve-unknown-fields: true, type: object}
            status: {type: object, properties: {replicas: {type: integer}}}
- {apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, value: 10, preemptionPolicy: Never}
- {apiVersion: networking.k8s.io/v1, kind: IngressClass, spec: {controller: a/b}}
- kind: Node
  spec: {podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24], taints: [{key: a, effect: NoSchedule}]}
  status: {addresses: [{type: InternalIP, address: 127.0.0.9}], capacity: {cpu: 1}, allocatable: {cpu: 1}}
"""

GOOD: dict[str, Any] = {each["kind"]: {"apiVersion": "v1", "metadata": {}, **each} for each in yaml.safe_load(_TEXT)}
"""kind -> object, without a name."""

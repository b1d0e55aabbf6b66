# fails: tomorrow's Pods find the same doors
# The matrix shows addresses, so the policies get addresses. They are right until the first Pod is made anew.
ip() { kubectl -n cinema get pod -l "app=$1" -o jsonpath='{.items[0].status.podIP}'; }
web=$(ip web) api=$(ip api) db=$(ip db)
kubectl apply -f - <<YAML
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: everything-closed
  namespace: cinema
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: names-for-all
  namespace: cinema
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
          podSelector:
            matchLabels:
              k8s-app: kube-dns
      ports:
        - protocol: UDP
          port: 53
        - protocol: TCP
          port: 53
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: web
  namespace: cinema
spec:
  podSelector:
    matchLabels:
      app: web
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - protocol: TCP
          port: 8080
  egress:
    - to:
        - ipBlock:
            cidr: $api/32
      ports:
        - protocol: TCP
          port: 8080
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: api
  namespace: cinema
spec:
  podSelector:
    matchLabels:
      app: api
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - ipBlock:
            cidr: $web/32
      ports:
        - protocol: TCP
          port: 8080
  egress:
    - to:
        - ipBlock:
            cidr: $db/32
      ports:
        - protocol: TCP
          port: 5432
    - to:
        - ipBlock:
            cidr: 172.18.1.11/32
      ports:
        - protocol: TCP
          port: 80
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
  namespace: cinema
spec:
  podSelector:
    matchLabels:
      app: db
  policyTypes: [Ingress]
  ingress:
    - from:
        - ipBlock:
            cidr: $api/32
      ports:
        - protocol: TCP
          port: 5432
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: prober
  namespace: cinema
spec:
  podSelector:
    matchExpressions:
      - key: app
        operator: In
        values: [web, api, db]
  policyTypes: [Ingress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: cinema-watch
          podSelector:
            matchLabels:
              app: prober
      ports:
        - protocol: TCP
          port: 9100
YAML

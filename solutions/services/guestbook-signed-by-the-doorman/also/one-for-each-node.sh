# also right: a DaemonSet in the Deployment's place, which needs no rule to keep its Pods apart.
kubectl -n embassy patch service guestbook -p '{"spec":{"externalTrafficPolicy":"Local"}}'
kubectl -n embassy apply -f - <<YAML
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: guestbook
  namespace: embassy
spec:
  selector:
    matchLabels: {app: guestbook, by: daemonset}
  template:
    metadata:
      labels: {app: guestbook, by: daemonset}
    spec:
      terminationGracePeriodSeconds: 1
      automountServiceAccountToken: false
      containers:
      - name: guestbook
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [netexec, --http-port=8080]
        readinessProbe: {httpGet: {path: /hostname, port: 8080}, periodSeconds: 1}
YAML
kubectl -n embassy rollout status daemonset guestbook --timeout 120s
kubectl -n embassy delete deployment guestbook

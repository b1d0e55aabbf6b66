# fails: it does so by way of its Service
# The Pod's own name leads to its loopback, and a helper there hands port 80 on. It would hear itself with the cable cut.
kubectl -n belfry patch deployment bell --patch '
spec:
  template:
    spec:
      hostAliases:
      - {ip: 127.0.0.1, hostnames: [bell]}
      containers:
      - name: ear
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [netexec, --http-port=80, --udp-port=-1]
'
kubectl -n belfry rollout status deployment bell --timeout 120s

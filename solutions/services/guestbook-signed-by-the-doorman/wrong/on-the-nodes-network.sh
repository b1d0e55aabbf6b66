# fails: each visitor is signed by his own address
# On the node's own network there is nothing left to hide behind. It helps the visitors whom the Pod's own node lets in.
kubectl -n embassy patch deployment guestbook --type merge -p '
spec:
  template:
    spec:
      hostNetwork: true
      affinity: null
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {matchLabels: {app: guestbook}}
'
kubectl -n embassy rollout status deployment guestbook --timeout 120s

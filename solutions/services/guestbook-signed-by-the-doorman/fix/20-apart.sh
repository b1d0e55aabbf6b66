# One guestbook on each worker, whatever the archive would prefer.
kubectl -n embassy patch deployment guestbook --patch '
spec:
  template:
    spec:
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {matchLabels: {app: guestbook}}
'
kubectl -n embassy rollout status deployment guestbook --timeout 120s

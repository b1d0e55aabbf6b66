# fails: the player sits where the deck is
# A player on each machine, and both lines answer. One of them plays from a deck that it does not have.
kubectl -n radio patch deployment player --type merge -p '
spec:
  replicas: 2
  template:
    spec:
      nodeSelector: null
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {matchLabels: {app: player}}
'
kubectl -n radio rollout status deployment player --timeout 120s

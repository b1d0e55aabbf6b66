# also right: the Pods repel each other; with two replicas and two workers that is one for each.
kubectl -n embassy patch service guestbook -p '{"spec":{"externalTrafficPolicy":"Local"}}'
kubectl -n embassy patch deployment guestbook --patch '
spec:
  template:
    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - topologyKey: kubernetes.io/hostname
            labelSelector: {matchLabels: {app: guestbook}}
'
kubectl -n embassy rollout status deployment guestbook --timeout 120s

# also right: the list of machines stays, and is complete.
kubectl -n arena patch daemonset cutter --patch '
spec:
  template:
    spec:
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions:
              - {key: kubernetes.io/hostname, operator: In, values: ['"$WORKER, $WORKER2"']}
'
kubectl -n arena rollout status daemonset cutter --timeout 120s

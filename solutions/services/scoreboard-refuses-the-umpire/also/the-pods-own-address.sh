# also right: each Pod waits at the address that it is given, and is asked there whether it is ready.
kubectl -n centrecourt patch deployment score --patch '
spec:
  template:
    spec:
      containers:
      - name: score
        env:
        - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: LISTEN, value: "$(POD_IP):'"$LAB_PORT"'"}
        readinessProbe:
          exec:
            command: [sh, -c, "wget -q -O /dev/null http://$LISTEN/points"]
'
kubectl -n centrecourt rollout status deployment score --timeout 120s

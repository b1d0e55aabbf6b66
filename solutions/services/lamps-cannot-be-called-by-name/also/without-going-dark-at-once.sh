# also right: the StatefulSet is replaced and its Pods are kept, then renewed one by one: there is always a lamp alight.
new=$(kubectl -n harbour get statefulset lamp -o json | sed 's/"serviceName": "lamp"/"serviceName": "lamps"/')
kubectl -n harbour delete statefulset lamp --cascade=orphan
printf '%s' "$new" | kubectl create -f -
for lamp in lamp-0 lamp-1; do
  kubectl -n harbour delete pod "$lamp"
  until kubectl -n harbour wait --for=condition=Ready "pod/$lamp" --timeout 60s 2>/dev/null; do :; done
done

# also right: ports by name, which say the same in one place; and a rule more for the fish instead of another host.
kubectl -n market create ingress fish-too --class nginx --rule 'fish.stall.example/*=fish:80'
for stall in cheese flowers; do
  kubectl -n market patch deployment "$stall" -p '{"spec":{"template":{"spec":{"containers":[
    {"name":"'"$stall"'","ports":[{"containerPort":8080,"name":"web"}]}]}}}}'
done
kubectl -n market patch service cheese --type json -p '[{"op":"replace","path":"/spec/ports/0/targetPort","value":"web"}]'
kubectl -n market patch deployment flowers --type json \
  -p '[{"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/httpGet/port","value":"web"}]'
kubectl -n market rollout status deployment flowers --timeout 60s
kubectl -n market rollout status deployment cheese --timeout 60s

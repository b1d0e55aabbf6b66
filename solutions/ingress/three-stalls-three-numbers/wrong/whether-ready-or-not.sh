# fails: the next Pod of each stall is found as well
# A switch of the Service puts Pods on the list that are not ready: the florist sells, and nobody is ever off the list.
kubectl -n market patch ingress fish --type json -p '[{"op":"replace","path":"/spec/rules/0/host","value":"fish.stall.example"}]'
kubectl -n market patch service cheese --type json -p '[{"op":"replace","path":"/spec/ports/0/targetPort","value":8080}]'
kubectl -n market patch service flowers --type merge -p '{"spec":{"publishNotReadyAddresses":true}}'

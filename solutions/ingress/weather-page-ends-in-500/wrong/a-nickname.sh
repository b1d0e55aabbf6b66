# fails: readers see the weather
# A Service of our own, with the observatory's name in it. An alias has no endpoints, and Envoy nowhere to go.
kubectl -n pressroom create service externalname forecast --external-name forecast.observatory.svc.cluster.local
kubectl -n pressroom patch service forecast -p '{"spec":{"ports":[{"port":80}]}}'
kubectl -n pressroom patch httproute paper --type json \
  -p '[{"op":"replace","path":"/spec/rules/1/backendRefs/0","value":{"name":"forecast","port":80}}]'

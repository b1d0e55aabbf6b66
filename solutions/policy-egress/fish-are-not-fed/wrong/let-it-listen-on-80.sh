# fails: the Service, the plankton and the feeder are as they were
# If the policies say 80, let the plankton listen on 80. It is a way; it was not the plankton that was wrong.
kubectl -n aquarium patch deployment plankton --type json -p '[
  {"op":"replace","path":"/spec/template/spec/containers/0/args","value":["netexec","--http-port=80"]},
  {"op":"replace","path":"/spec/template/spec/containers/0/ports/0/containerPort","value":80},
  {"op":"replace","path":"/spec/template/spec/containers/0/readinessProbe/tcpSocket/port","value":80}]'
kubectl -n aquarium rollout status deployment plankton --timeout 120s

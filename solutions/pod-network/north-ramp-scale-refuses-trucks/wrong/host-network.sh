# fails: the certified Deployments are as they were
# The program itself on the node's network: no plugin is needed, because the Pod has no network of its own any more.
kubectl -n quarry patch deployment north --type json -p "[
  {\"op\": \"add\", \"path\": \"/spec/template/spec/hostNetwork\", \"value\": true},
  {\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/0/args/1\", \"value\": \"--http-port=$LAB_PORT\"},
  {\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/0/ports/0/containerPort\", \"value\": $LAB_PORT},
  {\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/0/readinessProbe/tcpSocket/port\", \"value\": $LAB_PORT}]"
kubectl -n quarry rollout status deployment north --timeout 60s

# fails: the gate gets an answer
# Open 8088 on the container. But containerPort is a note for the reader: no process listens because of it.
kubectl -n fair patch deployment tickets --type json \
  -p '[{"op":"add","path":"/spec/template/spec/containers/0/ports/-","value":{"name":"scan","containerPort":8088}}]'
kubectl -n fair rollout status deployment tickets --timeout 120s

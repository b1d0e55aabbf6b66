# fails: nobody else can even connect to it
# What the manifest does not list as containerPort should not be open. It never was more than a note.
kubectl -n notary patch deployment office --type json \
  -p '[{"op":"remove","path":"/spec/template/spec/containers/1/ports"}]'
kubectl -n notary rollout status deployment office --timeout 120s

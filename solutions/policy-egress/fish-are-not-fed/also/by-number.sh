# also right: the Pod's port by its number, in both rules.
for rule in plankton/ingress feeder/egress; do
  kubectl -n aquarium patch networkpolicy "${rule%/*}" --type json \
    -p '[{"op":"replace","path":"/spec/'"${rule#*/}"'/0/ports/0/port","value":'"$LAB_PORT"'}]'
done

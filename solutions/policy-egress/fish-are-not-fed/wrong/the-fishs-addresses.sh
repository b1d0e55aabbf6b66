# fails: that holds for the next Pods as well
# Two Pods, two addresses, written into the feeder's rule: they are fed. The next two go hungry.
peers=""
for address in $(kubectl -n aquarium get pod -l app=plankton -o jsonpath='{.items[*].status.podIP}'); do
  peers="$peers,{\"ipBlock\":{\"cidr\":\"$address/32\"}}"
done
kubectl -n aquarium patch networkpolicy plankton --type json \
  -p '[{"op":"replace","path":"/spec/ingress/0/ports/0/port","value":'"$LAB_PORT"'}]'
kubectl -n aquarium patch networkpolicy feeder --type json -p '[
  {"op":"replace","path":"/spec/egress/0/to","value":['"${peers#,}"']},
  {"op":"replace","path":"/spec/egress/0/ports/0/port","value":'"$LAB_PORT"'}]'

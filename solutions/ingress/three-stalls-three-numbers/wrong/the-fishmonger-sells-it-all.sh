# fails: the cheesemonger sells
# One stall that answers, and three rules that lead to it. Everybody gets a 200, and a herring.
kubectl -n market patch ingress fish --type json -p '[{"op":"replace","path":"/spec/rules/0/host","value":"fish.stall.example"}]'
for stall in cheese flowers; do
  kubectl -n market patch ingress "$stall" --type json \
    -p '[{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"fish"}]'
done

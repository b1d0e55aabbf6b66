# fails: a name follows its lamp
# Two lines in the master's own /etc/hosts. It looks there first, and believes what was true at noon.
for lamp in lamp-0 lamp-1; do
  ip=$(kubectl -n harbour get pod "$lamp" -o jsonpath='{.status.podIP}')
  kubectl -n harbour exec master -- sh -c "echo '$ip $lamp.lamps' >> /etc/hosts"
done

# fails: the gate is as the hall made it
# Rent alone shall decide: the cheese comes in, and with it every paying stall of the other wings.
kubectl -n markethall patch gateway gate --type json \
  -p '[{"op":"remove","path":"/spec/listeners/0/allowedRoutes/namespaces/selector/matchLabels"}]'

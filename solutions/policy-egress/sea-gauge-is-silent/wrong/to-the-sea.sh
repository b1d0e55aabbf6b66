# fails: the reader reads both gauges
# The reader itself moves to the sea gauge's machine. Now the land is silent.
node=$(kubectl -n dike get deployment gauge-sea -o jsonpath='{.spec.template.spec.nodeName}')
kubectl -n dike patch deployment reader -p '{"spec":{"template":{"spec":{"nodeName":"'"$node"'"}}}}'
kubectl -n dike rollout status deployment reader --timeout 120s

# fails: the porter reads the office
# Where the office is the network works, so the thermometer moves there. The butter does not, and the porter is cut off.
kubectl -n dairy patch deployment coldstore -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$WORKER"'"}}}}}'
kubectl -n dairy rollout status deployment coldstore --timeout 60s

# fails: the umpire gets an answer
# The ConfigMap is right now, so wait for it to arrive. It never will: the containers have read it long ago.
kubectl -n centrecourt patch configmap score-settings --type merge -p '{"data":{"LISTEN":"0.0.0.0:'"$LAB_PORT"'"}}'

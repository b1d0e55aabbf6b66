# fails: the rehearsal goes on, on the whole of its stage
# Another hostname for the actor: the ferry is cured, and the theatre calls into the void.
kubectl -n test get pod actor -o json | sed 's/"hostname": "api"/"hostname": "mock"/' |
  kubectl replace --force --timeout 60s -f -
kubectl -n test wait --for=condition=Ready pod/actor --timeout 60s

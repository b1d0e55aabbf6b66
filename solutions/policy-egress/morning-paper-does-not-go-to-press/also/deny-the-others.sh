# also right: the Deny no longer means the editors. A packet that no rule of the house matches goes on to Feng's policy.
kubectl patch clusternetworkpolicy gazette-house-rules --type json -p \
  '[{"op":"add","path":"/spec/ingress/0/from/0/namespaces/matchExpressions/0/values/-","value":"gazette-editors"}]'

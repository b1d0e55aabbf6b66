# fails: tasters get mint every time
# The weights stay, the Services change their Pods. The count is right at once, and each name is a lie.
kubectl -n lemonade patch service classic -p '{"spec":{"selector":{"app":"mint"}}}'
kubectl -n lemonade patch service mint -p '{"spec":{"selector":{"app":"classic"}}}'

#!/usr/bin/env bash
# session-core's floors know those below them only, and no file of a floor knows itself in a circle
. ci/lib.sh
need_node

node ci/floors.js session-core/src format store context session lifecycle

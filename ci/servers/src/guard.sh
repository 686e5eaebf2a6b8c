# shellcheck shell=sh
# Stands between a test process and its servers, and outlives both. Reads what to do from its input:
# "start NAME" runs NAME.run and answers with the process's id, "kill NAME" ends it and answers when
# it is gone, "stop NAME" and "cont NAME" halt it and let it go on. At the end of its input, which
# comes with the end of the test process however that happens, it stops all servers and removes the
# directory.
directory=$1 stop=$2
trap '' INT TERM HUP PIPE
cd "$directory" || exit 1
servers=
late=
while read -r verb name; do
    eval "server=\${pid_$name:-}"
    case $verb in
    start)
        sh "$directory/$name.run" </dev/null >>"$directory/$name.log" 2>&1 &
        eval "pid_$name=$!"
        servers="$servers $name"
        echo "$!"
        ;;
    kill)
        kill -KILL "$server" 2>/dev/null
        wait "$server" 2>/dev/null
        eval "pid_$name="
        echo gone
        ;;
    stop)
        kill -STOP "$server"
        echo halted
        ;;
    cont)
        kill -CONT "$server"
        echo running
        ;;
    esac
done
# One that has just been started may miss the signal, and is asked again; the last word is a kill.
stop_all() {
    for name in $servers; do
        eval "server=\${pid_$name:-}"
        if [ -n "$server" ]; then kill "-$1" "$server" 2>/dev/null; fi
    done
}
stop_all "$stop"
if [ "$stop" != KILL ]; then
    (
        for pause in 0.1 0.2 0.5 1 3; do
            sleep "$pause"
            stop_all "$stop"
        done
        stop_all KILL
    ) &
    late=$!
fi
for name in $servers; do
    eval "server=\${pid_$name:-}"
    if [ -n "$server" ]; then wait "$server" 2>/dev/null; fi
done
if [ -n "$late" ]; then kill -KILL "$late"; fi
cd /
rm -rf -- "$directory"

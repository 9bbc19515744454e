#!/bin/sh
# Name what is missing or wrong on this machine, and what to install, before anything else is tried.
# Usage: prerequisites.sh PYTHON. Silent when all is well.
set -u
python=$1
bad=0

say() {
    printf '%s\n' "$@" >&2
    bad=1
}

if ! command -v "$python" >/dev/null 2>&1 || ! "$python" -c '' >/dev/null 2>&1; then
    say "Python 3.11 is missing: there is no working $python." \
        "  Debian, Ubuntu: apt install python3.11 python3.11-venv" \
        "  Fedora:         dnf install python3.11" \
        "  macOS:          brew install python@3.11" \
        "  elsewhere:      uv python install 3.11, or pyenv install 3.11" \
        "  If it has another name here: make PYTHON=/path/to/python3.11 ..."
elif ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    say "Python 3.11 is needed, and $python is $("$python" -V 2>&1)." \
        "  Give the right one: make PYTHON=/path/to/python3.11 ..."
elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    say "$python cannot make virtual environments." \
        "  Debian, Ubuntu: apt install python3.11-venv"
fi

java=java
where="on the PATH"
if [ -n "${JAVA_HOME:-}" ]; then
    java=$JAVA_HOME/bin/java
    where="in JAVA_HOME ($JAVA_HOME)"
fi
install_java() {
    say "  Debian, Ubuntu: apt install openjdk-17-jre-headless" \
        "  Fedora:         dnf install java-17-openjdk-headless" \
        "  macOS:          brew install openjdk@17" \
        "  If another Java comes first: export JAVA_HOME=/path/to/java-17"
}
if ! command -v "$java" >/dev/null 2>&1; then
    say "Java 17 is missing: there is no java $where."
    install_java
else
    # The release stands in quotes: "17.0.15", and "1.8.0_392" in old times.
    version=$("$java" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
    if [ -z "$version" ]; then
        say "Java 17 is needed, and the java $where does not run: $("$java" -version 2>&1 | head -n 1)"
        install_java
    elif [ "$version" -lt 17 ]; then
        say "Java 17 is needed, and the java $where is Java $version."
        install_java
    elif [ "$version" -gt 17 ]; then
        printf '%s\n' "Note: Cinelake is tested with Java 17, and the java $where is Java $version." >&2
    fi
fi
exit $bad

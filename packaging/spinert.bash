# Completion of spinert for bash. Every word comes from --help of the program on the command line: no option is named here.
_spinert() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]/#\~/$HOME}
  local subcommand="" help entry i
  COMPREPLY=()
  # bash cuts "--log=json" into three words.
  if [[ $word == "=" ]]; then
    word=
  elif [[ $before == "=" ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == -* ]] || { subcommand=${COMP_WORDS[i]}; break; }
  done
  help=$("$program" ${subcommand:+"$subcommand"} --help 2>/dev/null) || return 0

  # The value of the option before: one of its choices, a path, or something that nobody can guess.
  if [[ $before == -* ]]; then
    entry=$(grep -E -m1 "^  (-[a-z],)?${before}[ ,]|^  -[a-z],$before " <<<"$help")
    if [[ $entry =~ ^\ +[^\ ]+\ [A-Z]+:\{([^}]*)\} ]]; then
      mapfile -t COMPREPLY < <(compgen -W "${BASH_REMATCH[1]//,/ }" -- "$word")
      return 0
    elif [[ $entry =~ ^\ +[^\ ]+\ FOLDER ]]; then
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      return 0
    elif [[ $entry =~ ^\ +[^\ ]+\ (FILE|PATH) ]]; then
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return 0
    elif [[ $entry =~ ^\ +[^\ ]+\ [A-Z] ]]; then
      return 0
    fi
  fi
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(grep -oE '^  -[^ ]+' <<<"$help" | tr , ' ')" -- "$word")
  elif [[ -z $subcommand ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(sed -n '/^Subcommands:$/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$help")" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -o filenames -F _spinert spinert

# Writes ${OUT}: the text of each of ${FILES} (below ${DIR}) as a C++ constant. See curlew_embed().
set(body "// Made by cmake/embed.cmake; do not edit.\n#include \"migrations/embedded.h\"\n\n")
string(APPEND body "namespace curlew::migrations {\n\nstd::vector<EmbeddedFile> Embedded() {\n  return {\n")
foreach(f IN LISTS FILES)
  file(READ ${DIR}/${f} text)
  string(APPEND body "      {\"${f}\", R\"curlew_sql(${text})curlew_sql\"},\n")
endforeach()
string(APPEND body "  };\n}\n\n}  // namespace curlew::migrations\n")
file(WRITE ${OUT} "${body}")

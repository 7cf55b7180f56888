# Writes ${OUT}: the text of ${FILE} as a function ${NAMESPACE}::${FUNCTION}. See common/lint/CMakeLists.txt.
# The text is cut into literals that compilers take.
file(READ ${FILE} text)
string(LENGTH "${text}" length)
set(body "// Made by cmake/embed_text.cmake; do not edit.\n#include <string>\n\nnamespace ${NAMESPACE} {\n\n")
string(APPEND body "std::string ${FUNCTION}() {\n  std::string text;\n")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND body "  text += R\"curlew_text(${piece})curlew_text\";\n")
  math(EXPR at "${at} + 8000")
endwhile()
string(APPEND body "  return text;\n}\n\n}  // namespace ${NAMESPACE}\n")
file(WRITE ${OUT} "${body}")

# Writes a C file that holds another file's bytes: cmake -DINPUT=… -DOUTPUT=… -DHEADER=… -DNAME=… -P embed.cmake
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1,\n" bytes "${hex}")
file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\nstatic const unsigned char data[] = {\n${bytes}};\n\n"
  "const struct bytes ${NAME} = {(const char *)data, sizeof data};\n")

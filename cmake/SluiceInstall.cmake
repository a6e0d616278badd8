# SPDX-License-Identifier: BSD-3-Clause
# What is installed besides executables and manual pages: completion, examples, documents, units. Everything is below the prefix, so that
# `cmake --install build/release --prefix /usr` (or DESTDIR) decides at the end.
foreach(shell bash zsh fish)
	set(name completion.${shell})
	add_custom_command(OUTPUT ${name} DEPENDS sluice VERBATIM COMMAND sluice completion ${shell} > ${name})
	list(APPEND completions ${CMAKE_CURRENT_BINARY_DIR}/${name})
endforeach()
add_custom_target(completions ALL DEPENDS ${completions})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME sluice)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _sluice)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d RENAME sluice.fish)

install(DIRECTORY ${CMAKE_SOURCE_DIR}/conf/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples FILES_MATCHING PATTERN "*.cfg")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN man EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The unit names sluiced by its place, which is known when it is installed.
set(unit_template ${CMAKE_SOURCE_DIR}/mano/sluiced/sluiced.service.in)
set(unit ${CMAKE_CURRENT_BINARY_DIR}/sluiced.service)
install(CODE "string(REGEX REPLACE \"/+$\" \"\" prefix \"\${CMAKE_INSTALL_PREFIX}\")
	set(sbindir \"\${prefix}/${CMAKE_INSTALL_SBINDIR}\")
	configure_file(\"${unit_template}\" \"${unit}\" @ONLY)")
install(FILES ${unit} DESTINATION lib/systemd/system)
install(FILES ${CMAKE_SOURCE_DIR}/mano/sluiced/sluice.sysusers DESTINATION lib/sysusers.d RENAME sluice.conf)

// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/ebitengine/purego"

// The functions of GTK 4 that the program calls.
var (
	gApplicationRun           func(app uintptr, argc int32, argv uintptr) int32
	gSignalConnectData        func(instance uintptr, signal string, handler, data, destroy uintptr, flags int32) uint64
	gtkApplicationNew         func(id uintptr, flags int32) uintptr
	gtkApplicationWindowNew   func(app uintptr) uintptr
	gtkBoxAppend              func(box, child uintptr)
	gtkBoxNew                 func(orientation, spacing int32) uintptr
	gtkButtonNewWithLabel     func(label string) uintptr
	gtkButtonSetLabel         func(button uintptr, label string)
	gtkProgressBarNew         func() uintptr
	gtkProgressBarSetFraction func(bar uintptr, fraction float64)
	gtkProgressBarSetShowText func(bar uintptr, show bool)
	gtkProgressBarSetText     func(bar uintptr, text string)
	gtkWindowDestroy          func(window uintptr)
	gtkWindowPresent          func(window uintptr)
	gtkWindowSetChild         func(window, child uintptr)
	gtkWindowSetDefaultSize   func(window uintptr, width, height int32)
)

func load() error {
	gtk, err := purego.Dlopen("libgtk-4.so.1", purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return err
	}
	for name, function := range map[string]any{
		"g_application_run":              &gApplicationRun,
		"g_signal_connect_data":          &gSignalConnectData,
		"gtk_application_new":            &gtkApplicationNew,
		"gtk_application_window_new":     &gtkApplicationWindowNew,
		"gtk_box_append":                 &gtkBoxAppend,
		"gtk_box_new":                    &gtkBoxNew,
		"gtk_button_new_with_label":      &gtkButtonNewWithLabel,
		"gtk_button_set_label":           &gtkButtonSetLabel,
		"gtk_progress_bar_new":           &gtkProgressBarNew,
		"gtk_progress_bar_set_fraction":  &gtkProgressBarSetFraction,
		"gtk_progress_bar_set_show_text": &gtkProgressBarSetShowText,
		"gtk_progress_bar_set_text":      &gtkProgressBarSetText,
		"gtk_window_destroy":             &gtkWindowDestroy,
		"gtk_window_present":             &gtkWindowPresent,
		"gtk_window_set_child":           &gtkWindowSetChild,
		"gtk_window_set_default_size":    &gtkWindowSetDefaultSize,
	} {
		purego.RegisterLibFunc(function, gtk, name)
	}
	return nil
}

// connect takes one of purego's callbacks for good.
func connect(instance uintptr, signal string, handler func()) {
	callback := purego.NewCallback(func(uintptr) uintptr {
		handler()
		return 0
	})
	gSignalConnectData(instance, signal, callback, 0, 0, 0)
}
